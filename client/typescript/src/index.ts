export { type CallOptions, Gatehouse, type AskOptions, type AuthorizeOptions, type RevokeOptions, type VerifyOptions } from "./gatehouse.js";
export type { Batch } from "./batch.js";
export type { Figures } from "./counters.js";
export type { Code, Decision, Principal, Step } from "./decision.js";
export { Denied, GatehouseError, InvalidArgument, NotFound, SettingError, Unavailable } from "./errors.js";
export { type Condition, type ConditionOperation, type FilterAnswer, type Row, selects, type Sql } from "./filter.js";
export type { Check, Facts } from "./question.js";
export type { Revoked, Target } from "./revocation.js";
export { type Settings, settingsFromEnv } from "./settings.js";
