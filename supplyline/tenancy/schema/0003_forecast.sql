-- Inventory forecast: results in public, versioned by run; bookkeeping and staging in supplyline.

CREATE TABLE public.inventory_forecast (
    run_id   text NOT NULL,
    item     text NOT NULL,
    step     integer NOT NULL,
    period   date NOT NULL,
    mean     double precision NOT NULL,
    lo_80    double precision NOT NULL,
    hi_80    double precision NOT NULL,
    lo_95    double precision NOT NULL,
    hi_95    double precision NOT NULL,
    model    text NOT NULL,
    class    text NOT NULL,
    PRIMARY KEY (run_id, item, step)
);
COMMENT ON TABLE public.inventory_forecast IS
    'Expected demand per item and period; `period` is its first day, lo/hi the 80 and 95 % interval.';

CREATE TABLE public.inventory_plan (
    run_id          text NOT NULL,
    item            text NOT NULL,
    name            text NOT NULL DEFAULT '',
    status          text NOT NULL,
    why             text NOT NULL DEFAULT '',
    class           text NOT NULL,
    abc             text NOT NULL DEFAULT '',
    xyz             text NOT NULL DEFAULT '',
    on_hand         double precision,
    on_order        double precision,
    lead_time_days  double precision,
    demand_per_day  double precision,
    safety_stock    double precision,
    reorder_point   double precision,
    order_up_to     double precision,
    order_quantity  double precision,
    order_value     double precision,
    days_of_cover   double precision,
    stockout_risk   double precision,
    stockout_date   date,
    excess_units    double precision,
    excess_value    double precision,
    fill_rate       double precision,
    unit_cost       double precision,
    urgency         integer NOT NULL DEFAULT 0,
    urgency_score   double precision NOT NULL DEFAULT 0,
    computed_in     text NOT NULL,
    explanation     jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (run_id, item)
);
CREATE INDEX inventory_plan_urgency ON public.inventory_plan (run_id, urgency);
COMMENT ON TABLE public.inventory_plan IS
    'What to order and why, one row per item and run; urgency 1 comes first.';

CREATE TABLE supplyline.forecast_run (
    run_id       text PRIMARY KEY,
    state        text NOT NULL CHECK (state IN ('prepared', 'published')),
    attempt      integer NOT NULL DEFAULT 1,
    as_of        date,
    bucket       text NOT NULL,
    bucket_days  double precision NOT NULL,
    horizon      integer NOT NULL,
    season       integer NOT NULL,
    items        integer NOT NULL,
    chunks       integer NOT NULL,
    settings     jsonb NOT NULL DEFAULT '{}',
    report       jsonb NOT NULL DEFAULT '{}',
    prepared_at  timestamptz NOT NULL,
    published_at timestamptz
);

CREATE UNLOGGED TABLE supplyline.forecast_history (
    run_id       text NOT NULL,
    item         text NOT NULL,
    chunk        integer NOT NULL,
    first_period date,
    demand       double precision[] NOT NULL,
    facts        jsonb NOT NULL,
    fingerprint  text NOT NULL,
    PRIMARY KEY (run_id, item)
);
CREATE INDEX forecast_history_chunk ON supplyline.forecast_history (run_id, chunk);

CREATE UNLOGGED TABLE supplyline.forecast_stage (
    LIKE public.inventory_forecast INCLUDING DEFAULTS
);
CREATE INDEX forecast_stage_run ON supplyline.forecast_stage (run_id);

CREATE UNLOGGED TABLE supplyline.plan_stage (
    LIKE public.inventory_plan INCLUDING DEFAULTS,
    chunk integer NOT NULL
);
CREATE INDEX plan_stage_run ON supplyline.plan_stage (run_id, chunk);

CREATE TABLE supplyline.forecast_settings (
    version    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    settings   jsonb NOT NULL,
    set_by     text NOT NULL,
    set_at     timestamptz NOT NULL
);

CREATE TABLE supplyline.forecast_override (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    item       text NOT NULL,
    period     date,
    mean       double precision NOT NULL CHECK (mean >= 0),
    reason     text NOT NULL CHECK (reason <> ''),
    set_by     text NOT NULL,
    set_at     timestamptz NOT NULL,
    withdrawn_at timestamptz
);
COMMENT ON TABLE supplyline.forecast_override IS
    'What people say against the model, with reason; never mixed into inventory_forecast.';

ALTER TABLE public.inventory_forecast OWNER TO :"org_role";
ALTER TABLE public.inventory_plan OWNER TO :"org_role";
