"""The prediction API: an answer at once from the models that score the stream, and the event in `events`.

Read in the order of a request: `routes` (HTTP), `desk`, `questions` (what is asked), `replies` (what the models say),
`event_log` (Kafka confirms), `explainer`, which asks a child process, `explaining`, why; `__main__` wires them.
"""
