"""A table of routes as large as is asked for; always the same. Prints it.

Each kind of thing has ten routes: its owner's by the policy, some for whoever has a token,
some public, with methods of their own, captures, hosts and peers.
"""

import sys

ROUTES = 500
PER_KIND = 10
PUBLIC = "/public/kind-000/logo.svg"  # a path that each table answers to anybody


def _kind(name):
    own = f"/v1/{{owner}}/{name}"
    return [
        f"{{methods: [GET], path: '{own}', resource: {name}/all, action: list}}",
        f"{{methods: [POST], path: '{own}', resource: {name}/all, action: create}}",
        f"{{methods: [GET], path: '{own}/{{id}}', resource: '{name}/{{id}}', action: read, "
        "preflight: true}",
        f"{{methods: [PUT, PATCH], path: '{own}/{{id}}', resource: '{name}/{{id}}', "
        "action: write, preflight: true}",
        f"{{methods: [DELETE], path: '{own}/{{id}}', resource: '{name}/{{id}}', action: delete}}",
        f"{{methods: [GET], path: '{own}/{{id}}/files/{{name=**}}', resource: '{name}/{{id}}', "
        "action: read}",
        f"{{methods: [POST], path: '{own}/{{id}}/share', resource: '{name}/{{id}}', "
        "action: share, peers: ['spiffe://example.org/ns/web/*']}",
        f"{{methods: [GET], path: /v1/{name}/schema, authenticated: true}}",
        f"{{methods: [GET], hosts: [admin.example.com, '*.ops.example.com'], "
        f"path: '/admin/{name}/{{id}}', authenticated: true}}",
        f"{{methods: [GET], path: '/public/{name}/**', public: true}}",
    ]


def routes(count=ROUTES):
    """The text of `routes:`; so many of them, in tens."""
    lines = [line for number in range(0, count, PER_KIND)
             for line in _kind(f"kind-{number // PER_KIND:03}")]
    return "routes:\n" + "".join(f"  - {line}\n" for line in lines)


if __name__ == "__main__":
    sys.stdout.write(routes())
