"""A model as a service of a machine: the account that nobody logs in to, its folders, and the systemd unit.

    plan = Plan(models=("risk",))
    for step in steps_of(plan):
        step.is_there(), step.title, step.back

``unit`` writes the unit, ``steps`` makes what it needs and takes it away. What follows from it for the level
is looked at by ``hardening.account`` as everywhere (docs/adr/0021, docs/adr/0022).
"""
