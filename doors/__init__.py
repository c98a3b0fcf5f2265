"""What every HTTP door shares: who may come in, how much they may bring, and what they are told when they may not.

Read in the order of a request: `server` (the connection), `entry` (tokens, places, bodies), `app` (routes, answers).
"""
