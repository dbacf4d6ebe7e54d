import type { IncomingMessage } from "node:http";

const BEARER = /^Bearer +([\w.~+/=-]+) *$/i;

/** The token of an `Authorization: Bearer` header (RFC 6750, 2.1); undefined without the header, empty if the header holds no token. */
export const bearerOf = ({ headers: { authorization } }: Pick<IncomingMessage, "headers">): string | undefined =>
	authorization === undefined ? undefined : (BEARER.exec(authorization)?.[1] ?? "");
