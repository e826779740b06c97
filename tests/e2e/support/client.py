"""The service as a backend sees it."""

import grpc
from gatehouse.v1 import authorization_service_pb2 as messages
from gatehouse.v1 import authorization_service_pb2_grpc as services
from gatehouse.v1 import decision_pb2, revocation_pb2
from google.protobuf.timestamp_pb2 import Timestamp
from grpc_health.v1 import health_pb2, health_pb2_grpc

from support import leaks

DEADLINE = 30
ALLOW, DENY = decision_pb2.EFFECT_ALLOW, decision_pb2.EFFECT_DENY


def code(name: str) -> int:
    return decision_pb2.Code.Value(f"CODE_{name}")


def stamp(seconds: float) -> Timestamp:
    return Timestamp(seconds=int(seconds // 1), nanos=int(seconds % 1 * 1e9))


def token_id_target(issuer: str, token_id: str) -> messages.RevokeRequest:
    target = revocation_pb2.TokenIdTarget(issuer=issuer, token_id=token_id)
    return messages.RevokeRequest(token_id=target)


class Client:
    """Calls with a deadline. Without `wait_for_ready`: what is down fails at once."""

    def __init__(self, target: str, metadata: list[tuple[str, str]] | None = None):
        self.metadata = metadata or []
        self.channel = self.connect(target)
        self.stub = services.AuthorizationServiceStub(self.channel)
        self.health = health_pb2_grpc.HealthStub(self.channel)

    def connect(self, target: str) -> grpc.Channel:
        # Of its own, so that nothing outlives the server it was made for.
        return grpc.insecure_channel(target, options=[("grpc.use_local_subchannel_pool", 1)])

    def close(self):
        self.channel.close()

    def verify(self, token: str, **fields) -> messages.VerifyResponse:
        leaks.remember_token(token)
        request = messages.VerifyRequest(token=token, **fields)
        return self.stub.Verify(request, timeout=DEADLINE, metadata=self.metadata)

    def authorize(self, token: str, resource: str, owner: str, action: str = "read", **fields):
        leaks.remember_token(token)
        request = messages.AuthorizeRequest(
            token=token, resource=resource, owner=owner, action=action, **fields
        )
        return self.stub.Authorize(request, timeout=DEADLINE, metadata=self.metadata)

    def revoke(self, request: messages.RevokeRequest) -> messages.RevokeResponse:
        return self.stub.Revoke(request, timeout=DEADLINE, metadata=self.metadata)

    def revoke_token(self, token: str) -> messages.RevokeResponse:
        return self.revoke(messages.RevokeRequest(token=leaks.remember_token(token)))

    def revoke_token_id(self, issuer: str, token_id: str) -> messages.RevokeResponse:
        return self.revoke(token_id_target(issuer, token_id))

    def revoke_session(self, issuer: str, session_id: str) -> messages.RevokeResponse:
        target = revocation_pb2.SessionTarget(issuer=issuer, session_id=session_id)
        return self.revoke(messages.RevokeRequest(session=target))

    def revoke_subject(self, issuer: str, subject: str, until: int | None = None):
        target = revocation_pb2.SubjectTarget(
            issuer=issuer,
            subject=subject,
            issued_until=None if until is None else Timestamp(seconds=until),
        )
        return self.revoke(messages.RevokeRequest(subject=target))

    def suspend_subject(self, issuer: str, subject: str, until: float):
        target = revocation_pb2.SubjectTarget(issuer=issuer, subject=subject)
        return self.revoke(messages.RevokeRequest(subject=target, expire_time=stamp(until)))

    def reinstate(self, revocation_id: str, reason: str = "") -> messages.ReinstateResponse:
        request = messages.ReinstateRequest(id=revocation_id, reason=reason)
        return self.stub.Reinstate(request, timeout=DEADLINE, metadata=self.metadata)

    def import_revocations(self, revocations) -> messages.ImportRevocationsResponse:
        request = messages.ImportRevocationsRequest(revocations=revocations)
        return self.stub.ImportRevocations(request, timeout=DEADLINE, metadata=self.metadata)

    def backup(self, name: str = "") -> messages.BackupRevocationsResponse:
        request = messages.BackupRevocationsRequest(name=name)
        return self.stub.BackupRevocations(request, timeout=DEADLINE, metadata=self.metadata)

    def page(self, **fields) -> messages.ListRevocationsResponse:
        request = messages.ListRevocationsRequest(**fields)
        return self.stub.ListRevocations(request, timeout=DEADLINE, metadata=self.metadata)

    def revocations(self, page_size=1000, **filters) -> list[revocation_pb2.Revocation]:
        """All of them, page by page."""
        found, token = [], ""
        while True:
            reply = self.page(page_size=page_size, page_token=token, **filters)
            found.extend(reply.revocations)
            token = reply.next_page_token
            if not token:
                return found

    def serving(self, service: str = "") -> str:
        reply = self.health.Check(health_pb2.HealthCheckRequest(service=service), timeout=DEADLINE)
        return health_pb2.HealthCheckResponse.ServingStatus.Name(reply.status)


def status_of(call) -> grpc.StatusCode:
    """The status that `call()` ends with."""
    try:
        call()
    except grpc.RpcError as error:
        return error.code()
    return grpc.StatusCode.OK


def assert_denied(reply, name: str):
    decision = reply.decision
    assert decision_pb2.Code.Name(decision.code) == f"CODE_{name}", decision.detail
    assert decision.effect == DENY
    assert decision.http_status == (403 if name == "INSUFFICIENT_PERMISSIONS" else 401)
    assert decision.detail and decision.id
    if decision.http_status == 401:
        assert not reply.HasField("principal"), "a bad token has no principal"


def assert_allowed(reply):
    decision = reply.decision
    assert decision_pb2.Code.Name(decision.code) == "CODE_OK", decision.detail
    assert decision.effect == ALLOW
    assert decision.http_status == 200
    assert decision.id
