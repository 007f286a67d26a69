"""The broker over HTTP (spec/broker-api.md): transport and nothing else.

``app.make_app`` wires it. ``routes`` has one thin file for each area; a route names its permission,
reads a message, calls a service and answers with a message. ``routing`` is what all of them have
in common, ``auth`` says who asks, ``problem`` turns errors into answers, ``server`` listens.
"""
