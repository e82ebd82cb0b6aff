"""``gateway map``: what a declaration makes of a body, before anything is put where events come in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from gateway import app, settings
from gateway.cli.files import message_of, tell
from gateway.errors import Refusal
from gateway.model import Event
