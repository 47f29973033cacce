"""Every path of the API."""

from __future__ import annotations

from django.urls import path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from backend.accounts.views import MeView, OrganizationsView, TokenRevokeView, TokenView
from backend.api.views.airflow_operations import (
    DAGStatusView,
    EnhancedIngestDAGView,
    EnhancedMongoToPostgresDAGView,
    ForecastInventoryDAGView,
    PipelineStatusView,
)
from backend.api.views.pipeline import (
    AuditView,
    CertificatesView,
    HealthView,
    QualityView,
)
from backend.api.views.tables import DriftView, RejectedView, TableView, UndoView
from backend.files.quarantine_views import QuarantineView, ReplayView
from backend.files.reading_views import DryRunView, PreviewView, ReingestView
from backend.files.tus import TusCreateView, TusUploadView
from backend.files.views import FilesView, FileView, UploadView
from backend.forecasts.views import (
    ItemView,
    OverridesView,
    OverrideView,
    PeriodsFileView,
    PlanFileView,
    PlanView,
    RunsView,
    ScheduleView,
    SettingsView,
    SummaryView,
    ValueAddedView,
)
from backend.tables.views import ContractView, TablesView

handler400 = "backend.api.problems.bad_request"
handler404 = "backend.api.problems.not_found"
handler500 = "backend.api.problems.server_error"

urlpatterns = [
    path("", RedirectView.as_view(url="/api/docs/")),
    path("api/", RedirectView.as_view(url="/api/docs/")),
    path("api/health/", HealthView.as_view()),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path(
        "api/docs/",
        SpectacularSwaggerView.as_view(url_name="schema", http_method_names=["get", "head"]),
    ),
    path("api/auth/token/", TokenView.as_view()),
    path("api/auth/token/revoke/", TokenRevokeView.as_view()),
    path("api/auth/me/", MeView.as_view()),
    path("api/organizations/", OrganizationsView.as_view()),
    path("api/files/", FilesView.as_view()),
    path("api/files/upload/", UploadView.as_view()),
    path("api/files/tus/", TusCreateView.as_view()),
    path("api/files/tus/<str:key>/", TusUploadView.as_view()),
    path("api/files/<str:file_id>/", FileView.as_view()),
    path("api/files/<str:file_id>/preview/", PreviewView.as_view()),
    path("api/files/<str:file_id>/dry-run/", DryRunView.as_view()),
    path("api/files/<str:file_id>/reingest/", ReingestView.as_view()),
    path("api/files/<str:file_id>/quarantine/", QuarantineView.as_view()),
    path("api/files/<str:file_id>/quarantine/<str:file_type>/", QuarantineView.as_view()),
    path("api/files/<str:file_id>/replay/", ReplayView.as_view()),
    path("api/tables/", TablesView.as_view()),
    path("api/tables/<str:table>/contract/", ContractView.as_view()),
    path("api/airflow/trigger/enhanced-ingest/", EnhancedIngestDAGView.as_view()),
    path("api/airflow/trigger/mongo-to-postgres/", EnhancedMongoToPostgresDAGView.as_view()),
    path("api/airflow/trigger/forecast-inventory/", ForecastInventoryDAGView.as_view()),
    path("api/airflow/status/<str:dag_id>/", DAGStatusView.as_view()),
    path("api/airflow/status/<str:dag_id>/<str:dag_run_id>/", DAGStatusView.as_view()),
    path("api/airflow/pipeline-status/", PipelineStatusView.as_view()),
    path("api/tables/<str:table>/", TableView.as_view()),
    path("api/tables/<str:table>/drift/", DriftView.as_view()),
    path("api/tables/<str:table>/rejected/", RejectedView.as_view()),
    path("api/tables/<str:table>/undo/", UndoView.as_view()),
    path("api/pipeline/certificates/", CertificatesView.as_view()),
    path("api/pipeline/certificates/<str:file_id>/", CertificatesView.as_view()),
    path("api/pipeline/audit/", AuditView.as_view()),
    path("api/pipeline/quality/", QualityView.as_view()),
    path("api/forecast/plan/", PlanView.as_view()),
    path("api/forecast/plan/<str:file_type>/", PlanFileView.as_view()),
    path("api/forecast/periods/<str:file_type>/", PeriodsFileView.as_view()),
    path("api/forecast/items/<path:item>/", ItemView.as_view()),
    path("api/forecast/summary/", SummaryView.as_view()),
    path("api/forecast/runs/", RunsView.as_view()),
    path("api/forecast/schedule/", ScheduleView.as_view()),
    path("api/forecast/settings/", SettingsView.as_view()),
    path("api/forecast/overrides/", OverridesView.as_view()),
    path("api/forecast/overrides/value-added/", ValueAddedView.as_view()),
    path("api/forecast/overrides/<str:override_id>/", OverrideView.as_view()),
]
