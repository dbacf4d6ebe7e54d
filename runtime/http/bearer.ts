import type { IncomingMessage } from "node:http";

const BEARER = /^Bearer +([\w.~+/=-]+) *$/i;

/** The token of an `Authorization: Bearer` header (RFC 6750, 2.1); undefined: there is no such header; empty: there is one, and it holds none. */
export const bearerOf = ({ headers: { authorization } }: Pick<IncomingMessage, "headers">): string | undefined =>
	authorization === undefined ? undefined : (BEARER.exec(authorization)?.[1] ?? "");
