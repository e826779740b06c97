"""A policy as large as the reach of it speaks of; the same for the same seed. Prints it.

One resource type, `note`, is written out: what scripts/bench
asks about, and gatehouse-policy-bench too. The rest is drawn.
"""

import random
import sys

RESOURCES, ACTIONS, ROLES = 200, 10, 50
SIZE = f"{RESOURCES} resources x {ACTIONS} actions x {ROLES} roles"

NOTE = """\
    note:
      tenant: optional
      table:
        name: notes
        owner: owner_id
        tenant: org_id
        attributes:
          {status: status, locked: locked, amount: {name: amount, type: number}, team: team,
           label: label, region: region}
        relations:
          editor: {table: note_editors, resource: note_id, subject: user_id}
          viewer: {table: note_viewers, resource: note_id, subject: user_id}
          approver: {table: note_approvers, resource: note_id, subject: user_id}
      actions:
        read: {allow: ["role:staff", "relation:editor", owner]}
        own: {allow: [owner]}
        manage: {allow: ["role:staff"]}
        edit: {allow: ["relation:editor"]}
        close:
          allow: [{who: owner, when: [{attribute: status, in: [open, waiting]}]}]
          deny: [{when: [{attribute: locked, equals: "yes"}]}]
"""
NOTE_ACTIONS = 5
CHAIN = ("user", "boss", "lead", "staff")  # whoever is boss is staff, through lead


def _roles(count, draw):
    """Each role may include some of those after it, so that none includes itself."""
    drawn = [f"role-{number:02}" for number in range(len(CHAIN), count)]
    lines = ["    user: {}", "    boss: {includes: [lead]}", "    lead: {includes: [staff]}",
             "    staff: {}"]
    for number, name in enumerate(drawn):
        after = drawn[number + 1:number + 9]
        included = sorted(draw.sample(after, min(len(after), draw.choice((0, 0, 1, 2)))))
        lines.append(f"    {name}: {{includes: [{', '.join(included)}]}}" if included
                     else f"    {name}: {{}}")
    return list(CHAIN) + drawn, lines


def _conditions(draw):
    return draw.choice((
        "{attribute: status, in: [open, waiting, draft]}",
        "{attribute: status, equals: open}",
        "{attribute: amount, at_most: %d}" % draw.randrange(1, 100_000),
        "{attribute: team, equals_claim: team}",
        '{not: {attribute: label, prefix: "internal-"}}',
        "{any: [{attribute: region, equals: eu}, {claim: clearance, at_least: 3}]}",
    ))


def _rule(roles, draw):
    who = draw.choices(
        ("owner", f'"role:{draw.choice(roles)}"',
         f'"relation:{draw.choice(("editor", "viewer", "approver"))}"',
         f'"scope:api:{draw.choice(("read", "write", "admin"))}"'), (4, 4, 2, 1))[0]
    if draw.random() < 0.75:
        return who
    return f"{{who: {who}, when: [{_conditions(draw)}]}}"


def _action(name, roles, draw):
    allow = list(dict.fromkeys(_rule(roles, draw) for _ in range(draw.randint(1, 4))))
    text = f"        {name}: {{allow: [{', '.join(allow)}]"
    if draw.random() < 0.15:
        text += f", deny: [{{when: [{_conditions(draw)}]}}]"
    return text + "}"


def policy(resources=RESOURCES, actions=ACTIONS, roles=ROLES, seed=1):
    """The text of `policy:`."""
    draw = random.Random(seed)
    names, lines = _roles(roles, draw)
    text = ["policy:", "  roles:", *lines, "  resources:", NOTE.rstrip("\n")]
    text += [_action(f"action-{n}", names, draw) for n in range(NOTE_ACTIONS, actions)]
    for number in range(1, resources):
        tenant = draw.choice(("required", "required", "optional", "none"))
        text += [f"    kind-{number:03}:", f"      tenant: {tenant}", "      actions:"]
        text += [_action(f"action-{n}", names, draw) for n in range(actions)]
    return "\n".join(text) + "\n"


if __name__ == "__main__":
    sys.stdout.write(policy())
