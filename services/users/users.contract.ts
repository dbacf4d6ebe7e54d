// The contract of users: accounts, sign-in and tokens.
import { z } from "zod";
import { action, type Identity } from "../../contract/action.ts";
import { AccountID, NO_CONTROL } from "../../contract/id.ts";
import { hasInvisible, text } from "../../contract/text.ts";

const CONTROL = /\p{Cc}/u;

/**
 * Rejects what is not an e-mail address; only a message to it could prove that it exists. The ASCII characters of a domain are letters, digits, -
 * and dots only: others that the host of a URL may have (`%41`, `/`, `:80`) would be normalised, so that two texts became one address.
 */
const EMAIL = /^[^\s@"\p{Cc}]{1,64}@(?:[^\s\p{Cc}!-,./:-@[-`{-~]+\.)+[^\s\p{Cc}!-@[-`{-~][^\s\p{Cc}!-,./:-@[-`{-~]+$/u;

/** Stored in normalised form and unique in it, so case does not matter. Only its owner and admins can read it. */
export const Email = z
	.string()
	.trim()
	.max(254)
	.regex(EMAIL, "must be an e-mail address")
	.refine(text => text.isWellFormed(), "must be well-formed Unicode")
	.refine(text => !hasInvisible(text), "must not contain invisible characters")
	.meta({
		id: "Email",
		examples: ["ann@example.org"],
		pattern: EMAIL.source.replaceAll("\\p{Cc}", "\\u0000-\\u001f\\u007f-\\u009f")
	});

/** 10 to 128 characters; users.rules.ts rejects common passwords. */
export const Password = z
	.string()
	.min(10)
	.max(128)
	.refine(text => text.isWellFormed(), "must be well-formed Unicode")
	.meta({
		id: "Password",
		description: "Not one of the most common passwords, at least four different characters, and not the address or the name",
		format: "password"
	});

/** The display name of a person. */
export const Name = text(64, z.string().trim())
	.refine(name => !CONTROL.test(name), "must not contain control characters")
	.meta({
		id: "Name",
		description: "Leading and trailing whitespace is removed; the rest must contain a visible character",
		pattern: NO_CONTROL
	});

export const Role = z.enum(["user", "admin"]);

export const User = z
	.strictObject({ id: AccountID, email: z.string(), name: z.string(), role: Role, createdAt: z.iso.datetime() })
	.meta({ id: "User" });

/** An access token for 15 minutes, and a refresh token for the next pair. */
export const SignedIn = z
	.strictObject({
		user: User,
		token: z.string().describe("A JWT: send it as `Authorization: Bearer`"),
		expiresAt: z.iso.datetime().describe("When `token` expires"),
		refreshToken: z.string().optional().describe("Omitted for browsers, which store it in a cookie that scripts cannot read")
	})
	.meta({ id: "SignedIn" });

/** No token of ours is longer. */
const Token = z.string().max(4096);
const MaybeRefresh = z.strictObject({ refreshToken: Token.optional() });

const IdentitySchema: z.ZodType<Identity> = z.strictObject({
	id: AccountID,
	role: Role,
	session: z.string(),
	expiresAtMs: z.int()
});

const example = {
	user: {
		id: "acct_0f4ac3a7c1d94d0b8f1f2b3c4d5e6f70",
		email: "ann@example.org",
		name: "Ann",
		role: "user",
		createdAt: "2026-01-31T12:00:00.000Z"
	},
	token: "eyJhbGciOiJIUzI1NiIsInR5cCI6ImF0K2p3dCJ9.e30.c2lnbmF0dXJl",
	expiresAt: "2026-01-31T12:15:00.000Z"
} as const;

export const actions = {
	"users.register": action({
		summary: "Creates an account and signs in",
		params: z.strictObject({ email: Email, password: Password, name: Name }),
		result: SignedIn,
		errors: ["CONFLICT"],
		example: { params: { email: "ann@example.org", password: "correct horse battery", name: "Ann" }, result: example },
		who: "anyone",
		rest: "POST /api/auth/register",
		status: 201,
		restCookie: "refreshToken"
	}),
	"users.login": action({
		summary: "Signs in. A wrong password and an unknown address get the same error after about the same time",
		// Not validated by the rules for new accounts: accounts that are older than a rule must still be able to sign in.
		params: z.strictObject({ email: z.string().max(1024), password: z.string().max(1024) }),
		result: SignedIn,
		errors: ["UNAUTHORIZED"],
		example: { params: { email: "ann@example.org", password: "correct horse battery" }, result: example },
		who: "anyone",
		rest: "POST /api/auth/login",
		restCookie: "refreshToken"
	}),
	/** An outdated refresh token may have been stolen: its session is revoked. */
	"users.refresh": action({
		summary:
			"Exchanges a refresh token, from the cookie or the body, for a new token and the next refresh token; a repeated request within 10 s gets the same response",
		params: MaybeRefresh,
		result: SignedIn,
		errors: ["UNAUTHORIZED"],
		example: { params: {}, result: example },
		who: "anyone",
		rest: "POST /api/auth/refresh",
		restCookie: "refreshToken"
	}),
	"users.logout": action({
		summary:
			"Ends the session of the refresh token, or of the caller's token if none is given: its tokens become invalid and its sockets are closed",
		params: MaybeRefresh,
		result: z.strictObject({ ended: z.boolean() }),
		errors: ["UNAUTHORIZED"],
		example: { params: {}, result: { ended: true } },
		who: "anyone",
		rest: "POST /api/auth/logout",
		restCookie: "refreshToken"
	}),
	"users.me": action({
		summary: "Returns the account of the token",
		params: z.strictObject({}),
		result: z.strictObject({ user: User }),
		example: { params: {}, result: { user: example.user } },
		who: "account",
		rest: "GET /api/auth/me"
	}),
	/** The identity of an access token. For the gateway and the sockets. Errors: `UNAUTHORIZED`, for every reason. */
	"users.authenticate": action({ params: z.strictObject({ token: z.string() }), result: IdentitySchema }),
	/** The revoked ones of these sessions; a revocation is included after about a second. For the sockets, which outlive their token check. */
	"users.revoked": action({ params: z.strictObject({ sessions: z.array(z.string()) }), result: z.array(z.string()) }),
	/** The account of an address. For the operator only. Errors: `NOT_FOUND`. */
	"users.find": action({ params: z.strictObject({ email: Email }), result: z.strictObject({ user: User }) }),
	/** Creates an account of any role. For the operator only. Errors: `VALIDATION_ERROR`, `CONFLICT`. */
	"users.create": action({
		params: z.strictObject({ email: Email, password: Password, name: Name.optional(), role: Role }),
		result: z.strictObject({ user: User })
	})
};

export const topics = {};

export type User = z.output<typeof User>;
export type SignedIn = z.output<typeof SignedIn>;
export type Role = z.output<typeof Role>;
