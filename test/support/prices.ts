/** List prices of us-east-1 in dollars, of what a backup costs beside its snapshots. */
export const PRICES = {
  /** Step Functions Standard; a retry is one, and so is each child that a Distributed Map starts. */
  transition: 0.025 / 1_000,
  /** Lambda on arm64. */
  gigabyteSecond: 0.0000133334,
  invocation: 0.2 / 1_000_000,
  put: 0.005 / 1_000,
  get: 0.0004 / 1_000,
  /** CloudWatch Logs, taken in. */
  logByte: 0.5 / 1_000_000_000,
} as const;
