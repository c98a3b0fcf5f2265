"""A person's rows, taken out of PostgreSQL for good, and what that means for what was decided from them.

Read in this order: `command` (what the user asks) → `traces` (which bytes hold the person) → `eraser` (PostgreSQL)
→ `aftermath` (what can no longer be reproduced, what Kafka still holds).
"""
