// Tokens for accounts that are not registered, signed like the system's own; the system must use this JWT_SECRET.
import { randomBytes, randomUUID } from "node:crypto";
import { SignJWT } from "jose";

export const JWT_SECRET = randomBytes(32).toString("hex");

export const newAccount = () => `acct_${randomUUID().replaceAll("-", "")}`;
export const newSession = () => randomBytes(16).toString("base64url");

export interface Minted {
	role?: "user" | "admin";
	session?: string;
	/** Lifetime. Default: 15 minutes. Negative: the token is expired. */
	endsInMs?: number;
	secret?: string;
}

/** A token of an account. The system checks only its signature: the account need not be registered. */
export const mint = (
	account: string,
	{ role = "user", session = newSession(), endsInMs = 900_000, secret = JWT_SECRET }: Minted = {}
) =>
	new SignJWT({ sub: account, role, sid: session })
		.setProtectedHeader({ alg: "HS256", typ: "at+jwt" })
		.setIssuer("plaza")
		.setAudience("plaza")
		.setIssuedAt(Math.floor((Date.now() + Math.min(0, endsInMs * 2)) / 1000))
		.setExpirationTime(Math.floor((Date.now() + endsInMs) / 1000))
		.sign(new TextEncoder().encode(secret));
