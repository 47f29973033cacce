"""`/api/auth/…` and `/api/organizations/`."""

from __future__ import annotations

from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema
from knox.models import AuthToken
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend.accounts import services
from backend.accounts.errors import RoleNotSufficient
from backend.accounts.logins import log_in
from backend.accounts.models import Organization, User
from backend.api.requests import caller, payload
from supplyline import settings as supplyline_settings


class LoginSerializer(serializers.Serializer[None]):
    username = serializers.CharField(max_length=150)
    password = serializers.CharField(max_length=1024, trim_whitespace=False)


class UserSerializer(serializers.ModelSerializer[User]):
    org_id = serializers.CharField(allow_null=True)

    class Meta:
        model = User
        fields = ("id", "username", "org_id", "role", "is_platform_staff")


class TokenSerializer(serializers.Serializer[dict[str, object]]):
    token = serializers.CharField()
    expiry = serializers.DateTimeField()
    user = UserSerializer()


class OrganizationSerializer(serializers.ModelSerializer[Organization]):
    id = serializers.CharField(max_length=40)

    class Meta:
        model = Organization
        fields = ("id", "name", "state", "created_at")
        read_only_fields = ("state", "created_at")


class TokenView(APIView):
    """A bearer token for a user name and a password."""

    authentication_classes = ()
    permission_classes = ()

    @extend_schema(request=LoginSerializer, responses=TokenSerializer, auth=[])
    def post(self, request: Request) -> Response:
        given = payload(LoginSerializer, request)
        user = log_in(
            given["username"],
            password=given["password"],
            address=str(request.META.get("REMOTE_ADDR", "")),
            now=timezone.now(),
        )
        token, expiry = services.create_token(user)
        answer = {"token": token, "expiry": expiry, "user": user}
        return Response(TokenSerializer(answer).data)


class TokenRevokeView(APIView):
    """Ends the token that is used, or all of the caller's with `{"all": true}`."""

    class Payload(serializers.Serializer[None]):
        all = serializers.BooleanField(default=False)

    @extend_schema(request=Payload, responses={204: OpenApiResponse(description="revoked")})
    def post(self, request: Request) -> Response:
        given = payload(self.Payload, request)
        if given["all"]:
            AuthToken.objects.filter(user=caller(request)).delete()
        elif request.auth is not None:
            request.auth.delete()
        return Response(status=status.HTTP_204_NO_CONTENT)


class MeView(APIView):
    """Who the token belongs to."""

    @extend_schema(responses=UserSerializer)
    def get(self, request: Request) -> Response:
        return Response(UserSerializer(caller(request)).data)


class OrganizationsView(APIView):
    """Organizations: the own one; platform staff see all and may create one."""

    @extend_schema(responses=OrganizationSerializer(many=True))
    def get(self, request: Request) -> Response:
        user = caller(request)
        rows = Organization.objects.order_by("id")
        if not user.is_platform_staff:
            rows = rows.filter(pk=user.org_id)
        return Response(OrganizationSerializer(rows, many=True).data)

    @extend_schema(request=OrganizationSerializer, responses={201: OrganizationSerializer})
    def post(self, request: Request) -> Response:
        user = caller(request)
        if not user.is_platform_staff:
            raise RoleNotSufficient("Only platform staff may create an organization.")
        given = payload(OrganizationSerializer, request)
        row = services.create_organization(
            given["id"], name=given.get("name", ""), settings=supplyline_settings.get()
        )
        return Response(OrganizationSerializer(row).data, status=status.HTTP_201_CREATED)
