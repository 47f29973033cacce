"""Django's settings, all from `supplyline.settings`: no variable is read here.

The control database is PostgreSQL, always; there is no fallback that behaves differently.
Without a secret key (`SUPPLYLINE_SECRET_KEY`) Django refuses to serve, as it should.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from supplyline import settings as supplyline_settings

_env = supplyline_settings.get()

SECRET_KEY = _env.secret_key
DEBUG = _env.debug
ALLOWED_HOSTS = list(_env.allowed_hosts)

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.staticfiles",
    "rest_framework",
    "knox",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "backend.accounts",
    "backend.files",
    "backend.runs",
    "backend.forecasts",
    "backend.api",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "backend.api.correlation.CorrelationMiddleware",
    "backend.api.caching.NotKeptMiddleware",
    "backend.api.problems.NoNulMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "backend.config.urls"
WSGI_APPLICATION = "backend.config.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "accounts.User"

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [],
        "APP_DIRS": True,
        "OPTIONS": {},
    }
]

DATABASES: dict[str, dict[str, Any]] = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": _env.control_db,
        "USER": _env.app_db_user,
        "PASSWORD": _env.app_db_password,
        "HOST": _env.pg_host,
        "PORT": str(_env.pg_port),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"connect_timeout": 5, "application_name": "supplyline-backend"},
    }
}

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

LANGUAGE_CODE = "en-us"
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"

APPEND_SLASH = False
"""A POST without the last slash gets a 404 problem rather than a redirect that loses its body."""

STATIC_URL = "static/"
WHITENOISE_USE_FINDERS = True
"""The packages' few static files are served from where they are installed: nothing to collect."""

DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 2**20
"""Bytes of a request other than its files; files are streamed (backend.files.upload_handler)."""

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["backend.accounts.authentication.BearerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["backend.api.requests.JsonParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "backend.api.problems.exception_handler",
    "UNAUTHENTICATED_USER": None,
    # Answers are JSON; `?format=` says how a file is written, not how the answer is.
    "URL_FORMAT_OVERRIDE": None,
}

REST_KNOX = {
    "AUTH_HEADER_PREFIX": "Bearer",
    "TOKEN_TTL": timedelta(hours=12),
    "TOKEN_LIMIT_PER_USER": None,
    "AUTO_REFRESH": False,
    "TOKEN_PREFIX": "sl_",
}

SPECTACULAR_SETTINGS = {
    "TITLE": "Supplyline",
    "DESCRIPTION": "Files in, every row accounted for, inventory forecast out.",
    "VERSION": "1",
    # The page's own scripts come from this server: it works without the internet.
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "COMPONENT_SPLIT_REQUEST": True,
}

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "backend.config.logs.JsonFormatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {
        # httpx logs every request's full address at INFO; the client logs its own line instead.
        "httpx": {"level": "WARNING"},
        "django.server": {"level": "WARNING"},
    },
}

SECURE_CONTENT_TYPE_NOSNIFF = True
