"""What happens in a Better Auth, and whose tokens it ends."""

from dataclasses import dataclass, field


@dataclass
class Case:
    """What happens, and whose tokens are no good afterwards; all others' stay good."""

    event: callable
    ends: set
    # Where a session has ended, a browser of it gets no new token.
    signed_out: set = field(default_factory=set)


def sign_out(w):
    w.laptop.post("sign-out")


def revoke_session(w):
    w.laptop.post("revoke-session", token=w.phone.session_token)


def revoke_other_sessions(w):
    w.laptop.post("revoke-other-sessions")


def revoke_sessions(w):
    w.laptop.post("revoke-sessions")


def change_password(w):
    w.laptop.post("change-password", currentPassword=w.ada.password, newPassword="a new password")


def change_password_and_sign_out_others(w):
    w.laptop.post(
        "change-password", currentPassword=w.ada.password, newPassword="a new password",
        revokeOtherSessions=True,
    )  # fmt: skip


def reset_password(w):
    w.laptop.post("request-password-reset", email=w.ada.email)
    w.phone.post("reset-password", token=w.app.reset_token(w.ada.email), newPassword="new password")


def ban(w):
    w.admin.post("admin/ban-user", userId=w.ada.id)


def ban_by_update(w):
    w.admin.post("admin/update-user", userId=w.ada.id, data={"banned": True})


def set_role(w):
    w.admin.post("admin/set-role", userId=w.ada.id, role=["user", "admin"])


def set_the_same_role(w):
    w.admin.post("admin/set-role", userId=w.ada.id, role="user")


def set_role_by_update(w):
    w.admin.post("admin/update-user", userId=w.ada.id, data={"role": "admin"})


def set_password_by_admin(w):
    w.admin.post("admin/set-user-password", userId=w.ada.id, newPassword="a new password")


def forget_password(w):
    """As if Ada had signed up with another provider."""
    w.app.sql('DELETE FROM account WHERE "userId" = ?', w.ada.id)


def reset_first_password(w):
    forget_password(w)
    reset_password(w)


def set_first_password_by_admin(w):
    forget_password(w)
    set_password_by_admin(w)


def revoke_session_by_admin(w):
    w.admin.post("admin/revoke-user-session", sessionToken=w.phone.session_token)


def revoke_sessions_by_admin(w):
    w.admin.post("admin/revoke-user-sessions", userId=w.ada.id)


def remove_user(w):
    w.admin.post("admin/remove-user", userId=w.ada.id)


def delete_oneself(w):
    w.laptop.post("delete-user", password=w.ada.password)


def remove_member(w):
    w.olga.post("organization/remove-member", memberIdOrEmail=w.member, organizationId=w.org)


def leave(w):
    w.laptop.post("organization/leave", organizationId=w.org)


def change_member_role(w):
    w.olga.post(
        "organization/update-member-role", memberId=w.member, role="admin", organizationId=w.org
    )


def delete_organization(w):
    w.olga.post("organization/delete", organizationId=w.org)


BOTH = {"laptop", "phone"}
CASES = {
    "sign-out": Case(sign_out, {"laptop"}, {"laptop"}),
    "revoke-session": Case(revoke_session, {"phone"}, {"phone"}),
    "revoke-other-sessions": Case(revoke_other_sessions, {"phone"}, {"phone"}),
    "revoke-sessions": Case(revoke_sessions, BOTH, BOTH),
    "change-password": Case(change_password, BOTH),
    "change-password-others": Case(change_password_and_sign_out_others, BOTH, {"phone"}),
    "reset-password": Case(reset_password, BOTH),
    "ban": Case(ban, BOTH, BOTH),
    "ban-by-update": Case(ban_by_update, BOTH, BOTH),
    "set-role": Case(set_role, BOTH),
    "set-same-role": Case(set_the_same_role, BOTH),
    "set-role-by-update": Case(set_role_by_update, BOTH),
    "set-password-by-admin": Case(set_password_by_admin, BOTH),
    "revoke-session-by-admin": Case(revoke_session_by_admin, {"phone"}, {"phone"}),
    "revoke-sessions-by-admin": Case(revoke_sessions_by_admin, BOTH, BOTH),
    "remove-user": Case(remove_user, BOTH, BOTH),
    "delete-oneself": Case(delete_oneself, BOTH, BOTH),
    "remove-member": Case(remove_member, BOTH),
    "leave": Case(leave, BOTH),
    "change-member-role": Case(change_member_role, BOTH),
    "reset-first-password": Case(reset_first_password, BOTH),
    "set-first-password-by-admin": Case(set_first_password_by_admin, BOTH),
    # Tokens of the organization end; Ada's phone has another one of hers active, which is none.
    "delete-organization": Case(delete_organization, {"laptop", "olga"}),
}
# One of each kind: what the tests run on PostgreSQL as well.
KINDS = [
    "sign-out", "revoke-sessions", "change-password", "reset-password", "reset-first-password", "ban",
    "set-role", "remove-user", "remove-member", "leave", "change-member-role", "delete-organization",
]  # fmt: skip
