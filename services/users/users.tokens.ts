// Access tokens and refresh tokens: JWTs (RFC 7519) signed with HS256; no other algorithm is accepted.
import { errors, type JWTPayload, jwtVerify, SignJWT } from "jose";
import { z } from "zod";
import type { Identity } from "../../contract/action.ts";
import { AccountID } from "../../contract/id.ts";
import { unauthorized } from "../../mixins/errors.ts";
import { Role } from "./users.contract.ts";

export const ACCESS_TTL_MS = 15 * 60_000;
export const REFRESH_TTL_MS = 30 * 24 * 60 * 60_000;

const ALGORITHM = "HS256";
const ISSUER = "plaza";
/** Each kind has its own type and audience (RFC 8725, 3.11 and 3.9), so that neither is accepted as the other. */
const ACCESS = {
	typ: "at+jwt",
	audience: "plaza",
	claims: z.object({ sub: AccountID, role: Role, sid: z.string().min(1), iat: z.int(), exp: z.int() })
};
const REFRESH = {
	typ: "rt+jwt",
	audience: "plaza/refresh",
	claims: z.object({ sid: z.string().min(1), gen: z.int32().nonnegative(), iat: z.int(), exp: z.int() })
};
type Kind = typeof ACCESS | typeof REFRESH;

/** Identifies a refresh token of a session; the newest has the highest generation. */
export interface RefreshToken {
	session: string;
	generation: number;
}

export interface Tokens {
	/** An access token, and when it expires. The same input and `issuedAtMs` always give the same text; so does `signRefresh`. */
	signAccess(identity: Omit<Identity, "expiresAtMs">, issuedAtMs: number): Promise<{ token: string; expiresAtMs: number }>;
	signRefresh(refresh: RefreshToken, issuedAtMs: number): Promise<string>;
	/** The identity in an access token. Rejects with the same 401 `UNAUTHORIZED` for every reason. */
	verifyAccess(token: string): Promise<Identity>;
	/** The session and generation in a refresh token. Rejects with 401 `UNAUTHORIZED`. */
	verifyRefresh(token: string): Promise<RefreshToken>;
}

/** Base64url decoders ignore padding, spaces and unused last bits, so many texts decode to one token: only the canonical text is accepted. */
const isCanonical = (token: string) => {
	// At most four parts: otherwise a text of dots would have thousands to decode.
	const parts = token.split(".", 4);
	return parts.length === 3 && parts.every(part => Buffer.from(part, "base64url").toString("base64url") === part);
};

export function tokens(secret: string): Tokens {
	const key = new TextEncoder().encode(secret);
	const seconds = (ms: number) => Math.floor(ms / 1000);

	const sign = ({ typ, audience }: Kind, claims: JWTPayload, issuedAtMs: number, expiresAtMs: number) =>
		new SignJWT(claims)
			.setProtectedHeader({ alg: ALGORITHM, typ })
			.setIssuer(ISSUER)
			.setAudience(audience)
			.setIssuedAt(seconds(issuedAtMs))
			.setExpirationTime(seconds(expiresAtMs))
			.sign(key);

	const verify = async <K extends Kind>({ typ, audience, claims }: K, token: string): Promise<z.output<K["claims"]>> => {
		try {
			if (!isCanonical(token)) throw new errors.JWTInvalid();
			const { payload } = await jwtVerify(token, key, { algorithms: [ALGORITHM], issuer: ISSUER, typ, audience });
			return claims.parse(payload) as z.output<K["claims"]>;
		} catch (error) {
			if (error instanceof errors.JOSEError || error instanceof z.ZodError) throw unauthorized("This token is not valid");
			throw error;
		}
	};

	return {
		async signAccess({ id, role, session }, issuedAtMs) {
			const expiresAtMs = seconds(issuedAtMs + ACCESS_TTL_MS) * 1000;
			return { token: await sign(ACCESS, { sub: id, role, sid: session }, issuedAtMs, expiresAtMs), expiresAtMs };
		},

		signRefresh: ({ session, generation }, issuedAtMs) =>
			sign(REFRESH, { sid: session, gen: generation }, issuedAtMs, issuedAtMs + REFRESH_TTL_MS),

		async verifyAccess(token) {
			const { sub, role, sid, exp } = await verify(ACCESS, token);
			return { id: sub, role, session: sid, expiresAtMs: exp * 1000 };
		},

		async verifyRefresh(token) {
			const { sid, gen } = await verify(REFRESH, token);
			return { session: sid, generation: gen };
		}
	};
}
