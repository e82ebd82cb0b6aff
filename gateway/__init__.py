"""CloudEvents ingestion gateway: webhooks of many dialects in, one envelope out, on Kafka."""
