// The two kinds of tokens, both JWT (RFC 7519) signed with HS256 and nothing else: one says who asks, the other gets the next pair.
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
/** Each kind has its own type and audience (RFC 8725, 3.11 and 3.9): one is never taken for the other. */
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

/** One refresh token of a session: the newest has the highest generation. */
export interface RefreshToken {
	session: string;
	generation: number;
}

export interface Tokens {
	/** A token for the gateway and the sockets, and when it ends. */
	signAccess(identity: Omit<Identity, "expiresAtMs">): Promise<{ token: string; expiresAtMs: number }>;
	signRefresh(refresh: RefreshToken): Promise<string>;
	/** Whom an access token stands for. Rejects with 401 `UNAUTHORIZED`, the same whatever is wrong with it. */
	verifyAccess(token: string): Promise<Identity>;
	/** Which refresh token of which session it is. Rejects with 401 `UNAUTHORIZED`. */
	verifyRefresh(token: string): Promise<RefreshToken>;
}

/** Decoders forgive padding, spaces and stray last bits, so that many texts would be one token: only the text that was given out is. */
const isCanonical = (token: string) =>
	token.split(".").every(part => Buffer.from(part, "base64url").toString("base64url") === part);

export function tokens(secret: string): Tokens {
	const key = new TextEncoder().encode(secret);
	const seconds = (ms: number) => Math.floor(ms / 1000);

	const sign = ({ typ, audience }: Kind, claims: JWTPayload, expiresAtMs: number) =>
		new SignJWT(claims)
			.setProtectedHeader({ alg: ALGORITHM, typ })
			.setIssuer(ISSUER)
			.setAudience(audience)
			.setIssuedAt()
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
		async signAccess({ id, role, session }) {
			const expiresAtMs = seconds(Date.now() + ACCESS_TTL_MS) * 1000;
			return { token: await sign(ACCESS, { sub: id, role, sid: session }, expiresAtMs), expiresAtMs };
		},

		signRefresh: ({ session, generation }) => sign(REFRESH, { sid: session, gen: generation }, Date.now() + REFRESH_TTL_MS),

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
