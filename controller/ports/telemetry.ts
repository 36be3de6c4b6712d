/** Where the loop says what it does: constant messages, data as fields. The logger of main fits as it is. */
export interface Telemetry {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
