"""The decisions: do false alarms keep to the declared budget, and how soon is a change found? No broker is needed.

streams.py what is watched · judging.py the product's decision on many windows at once · realised.py false alarms ·
predictions.py a model's own scores · uncalibrated.py cycles longer than the reference · rules.py and delays.py the
delay beside other rules at equal rates · immaterial.py what is certain and does not matter · real_streams.py four real
streams · peers.py other tools as they are · tables.py and pictures.py how it is shown · __main__.py all of it.
"""
