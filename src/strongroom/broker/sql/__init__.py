"""The broker's database, in SQLite or PostgreSQL, by SQLAlchemy Core.

    store = open_store("sqlite:////var/lib/strongroom/broker/broker.db", create=True)
    store = open_store("postgresql://broker@db.example.com/broker")

``store`` says what a transaction is; ``tables`` what is kept. The files between them, one for each
subject, hold the statements: ``parties``, ``packages``, ``licenses``, ``leases``, ``counts``,
``log_rows`` and ``answers``.
"""
