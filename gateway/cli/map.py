"""``gateway map``: what a declaration makes of a body, before anything is put where events come in."""

from __future__ import annotations
