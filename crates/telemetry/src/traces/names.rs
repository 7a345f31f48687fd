//! Every name that spans carry. GenAI semantic conventions v1.41 where they have one, `bedplate.*`
//! where they have none.

/// The conventions that the names follow.
pub const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.41.0";
/// The instrumentation scope.
pub const SCOPE: &str = "bedplate";
/// The value of [`PROVIDER_NAME`].
pub const BEDROCK: &str = "aws.bedrock";

pub const OPERATION_NAME: &str = "gen_ai.operation.name";
pub const PROVIDER_NAME: &str = "gen_ai.provider.name";
pub const REQUEST_MODEL: &str = "gen_ai.request.model";
pub const FINISH_REASONS: &str = "gen_ai.response.finish_reasons";
/// All prompt tokens: cached ones are included here, unlike in Bedrock's own count.
pub const INPUT_TOKENS: &str = "gen_ai.usage.input_tokens";
pub const OUTPUT_TOKENS: &str = "gen_ai.usage.output_tokens";
pub const CACHE_READ_TOKENS: &str = "gen_ai.usage.cache_read.input_tokens";
pub const CACHE_WRITE_TOKENS: &str = "gen_ai.usage.cache_creation.input_tokens";
pub const GUARDRAIL_ID: &str = "aws.bedrock.guardrail.id";

pub const ERROR_TYPE: &str = "error.type";
pub const STATUS_CODE: &str = "http.response.status_code";
pub const RESEND_COUNT: &str = "http.request.resend_count";
pub const REGION: &str = "cloud.region";
pub const ACCOUNT: &str = "cloud.account.id";
pub const REQUEST_ID: &str = "aws.request_id";
pub const SERVICE_NAME: &str = "service.name";
pub const SERVICE_VERSION: &str = "service.version";

pub const CALL: &str = "bedplate.call";
pub const API: &str = "bedplate.operation";
pub const TEAM: &str = "bedplate.team";
pub const FEATURE: &str = "bedplate.feature";
pub const ENVIRONMENT: &str = "bedplate.environment";
pub const KEY: &str = "bedplate.key";
pub const USER: &str = "bedplate.user";
pub const CHAIN: &str = "bedplate.chain";
pub const PROMPT: &str = "bedplate.prompt";
pub const PROMPT_VERSION: &str = "bedplate.prompt_version";
pub const ENDING: &str = "bedplate.ending";
pub const CODE: &str = "bedplate.code";
pub const STAGE: &str = "bedplate.stage";
pub const COST_NANOS: &str = "bedplate.cost_nanos";
pub const COST_KNOWN: &str = "bedplate.cost_known";
pub const OVERHEAD_US: &str = "bedplate.overhead_us";
pub const PROVIDER: &str = "bedplate.provider";
pub const TARGET: &str = "bedplate.target";
pub const TIER: &str = "bedplate.tier";

/// Children of a call's span.
pub const RECEIVE: &str = "receive";
pub const CLEAR: &str = "clear";
pub const ATTEMPT: &str = "attempt";
/// Events.
pub const CONNECTED: &str = "connected";
pub const FIRST_BYTE: &str = "first byte";
pub const FIRST_TOKEN: &str = "first token";
