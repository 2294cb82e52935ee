"""What the DAGs of Trade Manager share.

Airflow loads each file of a plugins folder by its bare name too, so each is named `tm_…` here: an
`operator.py` would stand in front of Python's own.
"""
