//! An example of each section, for the page: read by a test, and by `bedplate check` where the page is
//! tested.

/// The example of the section at `path`, and why it cannot be checked on its own, when it cannot.
pub(super) fn of(path: &str) -> Option<(&'static str, Option<&'static str>)> {
    EXAMPLES.iter().find(|(of, ..)| *of == path).map(|(_, example, not_run)| (*example, *not_run))
}

type Example = (&'static str, &'static str, Option<&'static str>);

const EXAMPLES: &[Example] = &[
    ("listen", "[listen]\ndata = \"10.0.0.7:8443\"\ncontrol = \"127.0.0.1:8081\"", None),
    ("listen.tls", "[listen.tls]\nmode = \"self-signed\"", None),
    ("limits", "[limits]\nbody = \"4MiB\"\nbodies_in_flight = \"256MiB\"", None),
    ("auth", "[auth]\nsession_token = \"refuse\"", None),
    (
        "doors",
        r#"
[[provider]]
name = "use1"
kind = "bedrock"

[[model]]
name = "triage"
targets = ["use1/us.amazon.nova-lite-v1:0"]

[doors]
names = { "gpt-4o-mini" = "triage", "claude-sonnet-*" = "us.anthropic.claude-sonnet-4-5-20250929-v1:0" }
"#,
        None,
    ),
    ("store", "[store]\nledger = { postgres = { env = \"DATABASE_URL\" } }\nretention = \"90d\"", None),
    (
        "provider",
        r#"
[[provider]]
name = "use1"
kind = "bedrock"
region = "us-east-1"
account = "123456789012"
role_arn = "arn:aws:iam::123456789012:role/bedplate"
"#,
        None,
    ),
    (
        "provider.endpoints",
        r#"
[[provider]]
name = "private"
kind = "bedrock"

[provider.endpoints]                     # of the provider above it
runtime = "https://vpce-0a1b2c3d-example.bedrock-runtime.us-east-1.vpce.amazonaws.com"
"#,
        None,
    ),
    (
        "provider.sessions",
        r#"
[[provider]]
name = "use1"
kind = "bedrock"
role_arn = "arn:aws:iam::123456789012:role/bedplate"

[provider.sessions]                      # of the provider above it
name = "{team}@{environment}"
tags = { team = "{team}", feature = "{feature}", environment = "{environment}" }
transitive = ["team"]
"#,
        None,
    ),
    (
        "provider.tenant",
        r#"
[[provider]]
name = "use1"
kind = "bedrock"

[[provider.tenant]]                      # of the provider above it
team = "payments"
environment = "prod"
role_arn = "arn:aws:iam::123456789012:role/bedplate-payments"

[provider.tenant.profiles]
"us.amazon.nova-lite-v1:0" = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3d4e5f6"
"#,
        None,
    ),
    ("timeout", "[timeout]\nfirst_token = \"20s\"\nidle = \"30s\"\ntotal = \"10m\"", None),
    ("drain", "[drain]\nhang_up = \"30s\"\nshutdown = \"1m\"", None),
    (
        "model",
        r#"
[[provider]]
name = "use1"
kind = "bedrock"
region = "us-east-1"

[[provider]]
name = "usw2"
kind = "bedrock"
region = "us-west-2"

[[model]]
name = "triage"
targets = ["use1/us.amazon.nova-lite-v1:0", { target = "usw2/us.amazon.nova-lite-v1:0", weight = 2, tier = "flex" }]
fallback = [{ target = "use1/us.amazon.nova-micro-v1:0" }, { cache = "stale" }, { answer = "We are busy; please try again." }]
timeout = { connect = "2s", first_token = "8s", idle = "20s", total = "120s" }

[[cache.rule]]                           # for `{ cache = "stale" }`
models = ["triage"]
stale_if_error = "1d"
"#,
        None,
    ),
    (
        "model.timeout",
        r#"
[[provider]]
name = "use1"
kind = "bedrock"

[[model]]
name = "chat"
targets = ["use1/us.amazon.nova-lite-v1:0"]

[model.timeout]                          # of the alias above it
first_token = "8s"
idle = "20s"
"#,
        None,
    ),
    (
        "model.hedge",
        r#"
[[provider]]
name = "use1"
kind = "bedrock"
region = "us-east-1"

[[provider]]
name = "usw2"
kind = "bedrock"
region = "us-west-2"

[[model]]
name = "chat"
targets = ["use1/us.amazon.nova-lite-v1:0", "usw2/us.amazon.nova-lite-v1:0"]

[model.hedge]                            # of the alias above it
after = "2s"
most = "5%"
"#,
        None,
    ),
    (
        "model.rule",
        r#"
[[provider]]
name = "use1"
kind = "bedrock"

[[model]]
name = "chat"
sticky = "conversation"
targets = ["use1/us.amazon.nova-lite-v1:0"]

[[model.rule]]                           # of the alias above it
when = { feature = "search", input = "> 32KiB" }
targets = ["use1/us.amazon.nova-pro-v1:0"]
"#,
        None,
    ),
    (
        "model.rule.when",
        r#"
[[provider]]
name = "use1"
kind = "bedrock"

[[model]]
name = "chat"
targets = ["use1/us.amazon.nova-lite-v1:0"]

[[model.rule]]
targets = ["use1/us.amazon.nova-pro-v1:0"]

[model.rule.when]                        # of the rule above it
team = "support"
environment = "prod"
"#,
        None,
    ),
    ("retry", "[retry]\nattempts = 2", None),
    ("breaker", "[breaker]\nfailures = 3\nopen = \"2s\"", None),
    (
        "provider.quota",
        r#"
[[provider]]
name = "use1"
kind = "bedrock"

[provider.quota]
from = "config"
tpm = 400000
"#,
        None,
    ),
    (
        "provider.quota.model",
        r#"
[[provider]]
name = "use1"
kind = "bedrock"

[provider.quota]
from = "config"
rpm = 500

[[provider.quota.model]]
id = "us.amazon.nova-lite-v1:0"
tpm = 1000000
"#,
        None,
    ),
    ("pace", "[pace]\ninteractive = \"5s\"\nkeep = 20", None),
    ("operations", "[operations]\nallow = [\"StartAsyncInvoke\", \"GetAsyncInvoke\"]", None),
    ("prices", "[prices]\noverrides = \"prices.toml\"", Some("it names a file beside it")),
    (
        "budget",
        r#"
[[budget]]
name = "support"
scope = { team = "support" }
limit = "250 USD"
period = "month"
zone = "Europe/Berlin"
ladder = [{ at = "80%", do = "warn" }, { at = "100%", do = "block" }]
"#,
        None,
    ),
    (
        "budget.scope",
        "[[budget]]\nname = \"each-key\"\nlimit = \"10 USD\"\nperiod = \"day\"\n\n[budget.scope]\nenvironment = \"prod\"\nkey = \"*\"",
        None,
    ),
    (
        "budget.ladder",
        "[[budget]]\nname = \"tells-only\"\nlimit = \"1000 USD\"\n\n[[budget.ladder]]\nat = \"90%\"\ndo = \"warn\"",
        None,
    ),
    ("budgets", "[budgets]\nlease = \"30s\"\nwait = \"2s\"", None),
    (
        "throttle",
        r#"
[[throttle]]
name = "keys"
scope = { key = "*" }
rpm = 600
tpm = 200000
"#,
        None,
    ),
    (
        "throttle.scope",
        r#"
[[throttle]]
name = "triage"
rpm = 60

[throttle.scope]                         # of the throttle above it
team = "*"
feature = "triage"
"#,
        None,
    ),
    ("cache", "[cache]\nmemory = \"256MiB\"\nentries = 500000", None),
    (
        "cache.rule",
        r#"
[[cache.rule]]
models = ["us.amazon.nova-*"]
features = ["triage"]
ttl = "1h"
stale_if_error = "1d"
"#,
        None,
    ),
    ("log", "[log]\ncalls = { file = \"calls.log\" }", None),
    ("log.invocation", "[log.invocation]\nfolder = \"invocations\"", None),
    ("metrics", "[metrics]\nlabel_values = 50", None),
    ("emf", "[emf]\nto = \"stdout\"", None),
    (
        "cloudwatch",
        "[cloudwatch]\nemf = \"/bedplate/metrics\"\ncalls = \"/bedplate/calls\"",
        Some("it needs a build with the feature `cloudwatch`"),
    ),
    (
        "traces",
        r#"
[traces]
endpoint = "http://localhost:4318"
headers = { authorization = { env = "OTLP_AUTHORIZATION" } }
sample = 0.1
"#,
        None,
    ),
    (
        "notify",
        r#"
[[notify]]
name = "ops"
kind = "webhook"
url = "https://hooks.example.com/bedplate"
secret = { env = "BEDPLATE_HOOK_SECRET" }
on = ["budget"]
severity = "warning"
"#,
        None,
    ),
    ("sim", "[sim]\ntime_scale = 10.0\nseed = 7", None),
    (
        "sim.credentials",
        "[[sim.credentials]]\naccess_key_id = \"AKIAEXAMPLEEXAMPLE22\"\nsecret_access_key = { env = \"SIM_SECRET\" }",
        None,
    ),
    ("sim.model", "[[sim.model]]\nid = \"amazon.nova-*\"\ntpm = 100000\nerror_rate = 0.0", None),
    (
        "sim.fault",
        "[[sim.fault]]\nkind = \"throttle\"\noperation = \"ConverseStream\"\nevery = 3\nretry_after = \"2s\"",
        None,
    ),
    (
        "sim.guardrail",
        "[[sim.guardrail]]\nid = \"gr1a2b3c4d5e\"\nversions = [\"1\"]\nblock = [\"CREDIT_DEBIT_CARD_NUMBER\"]",
        None,
    ),
    (
        "sim.guardrail.topic",
        "[[sim.guardrail]]\nid = \"gr1a2b3c4d5e\"\n\n[[sim.guardrail.topic]]\nname = \"tax\"\nphrases = [\"tax return\"]",
        None,
    ),
    (
        "sim.application_profile",
        "[[sim.application_profile]]\nid = \"abcdef123456\"\nname = \"support\"\nmodel = \"us.amazon.nova-lite-v1:0\"",
        None,
    ),
];
