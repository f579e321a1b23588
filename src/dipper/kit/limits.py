"""Limits that are promises to callers, in one place. Sizes in bytes, times in seconds or µs."""

from __future__ import annotations

from dipper.kit.clock import SECOND_US

NATIVE_BODY_MAX = 1_000_000
SEGMENT_BODY_MAX = 500_000
SEGMENT_EVENT_MAX = 32_768
SEGMENT_BATCH_MAX = 2_500
DECIDE_BODY_MAX = 64_000

SKEW_TOLERATED_US = 5 * SECOND_US
TOKEN_LIFETIME_MAX_S = 15 * 60
CONSENT_WAIT_S = 2.0

RECORD_PAYLOAD_MAX = 1_048_576
PROJECTOR_CRASHES_MAX = 3
JSON_DEPTH_MAX = 32
