"""Leaving: records made durable, in Kafka or in the local log."""
