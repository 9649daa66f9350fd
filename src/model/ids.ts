/** A UUID in lower case with dashes. */
export type Id = string;
/** 32 lower-case hex digits, as Keystone writes project ids. */
export type ProjectId = string;

/** Microseconds since the Unix epoch, UTC. */
export type TimestampUs = number;

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const projectId = /^[0-9a-f]{32}$/;

export const isUuid = (text: string): boolean => uuid.test(text);
export const isProjectId = (text: string): boolean => projectId.test(text);
