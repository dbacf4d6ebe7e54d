// All that the rest of the system may know about accounts: who people are, and how they show it.
import { z } from "zod";
import { action, type Identity } from "../../contract/action.ts";
import { AccountID, NO_CONTROL } from "../../contract/id.ts";

const CONTROL = /\p{Cc}/u;

/**
 * Whether an address reaches anybody only a letter to it could say; this keeps out what is none. Of ASCII a domain has letters, digits, - and dots
 * alone: what else a URL's host may have (`%41`, `/`, `:80`) would make two addresses one.
 */
const EMAIL = /^[^\s@"\p{Cc}]{1,64}@(?:[^\s\p{Cc}!-,./:-@[-`{-~]+\.)+[^\s\p{Cc}!-@[-`{-~][^\s\p{Cc}!-,./:-@[-`{-~]+$/u;

/** Unique without regard to case: it is kept as it was normalised, and shown to its owner and to admins alone. */
export const Email = z
	.string()
	.trim()
	.max(254, "must be at most 254 characters long")
	.regex(EMAIL, "must be an e-mail address")
	.refine(text => text.isWellFormed(), "must be well-formed Unicode")
	.meta({
		id: "Email",
		examples: ["ann@example.org"],
		pattern: EMAIL.source.replaceAll("\\p{Cc}", "\\u0000-\\u001f\\u007f-\\u009f")
	});

/** 10 to 128 characters; that it is not one of the commonest is seen to by the rules. */
export const Password = z
	.string()
	.min(10, "must be at least 10 characters long")
	.max(128, "must be at most 128 characters long")
	.refine(text => text.isWellFormed(), "must be well-formed Unicode")
	.meta({
		id: "Password",
		description: "None of the commonest, not made of three characters or fewer, and neither the address nor the name",
		format: "password"
	});

/** What others call a person. */
export const Name = z
	.string()
	.trim()
	.min(1, "must not be empty")
	.max(64, "must be at most 64 characters long")
	.refine(text => text.isWellFormed() && !CONTROL.test(text), "must be well-formed Unicode without control characters")
	.meta({ id: "Name", description: "Space around it is left out; what remains is not empty", pattern: NO_CONTROL });

export const Role = z.enum(["user", "admin"]);

export const User = z
	.strictObject({ id: AccountID, email: z.string(), name: z.string(), role: Role, createdAt: z.iso.datetime() })
	.meta({ id: "User" });

/** A token for 15 minutes, and one that gets the next: each refresh token works once. */
export const SignedIn = z
	.strictObject({
		user: User,
		token: z.string().describe("JWT, to be sent as `Authorization: Bearer`"),
		expiresAt: z.iso.datetime().describe("When `token` ends"),
		refreshToken: z
			.string()
			.optional()
			.describe("Left out of an answer to a browser, which keeps it in a cookie that scripts cannot read")
	})
	.meta({ id: "SignedIn" });

/** At most what a token of ours can be long: nothing longer is worth looking at. */
const Token = z.string().max(4096, "must be at most 4096 characters long");
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
		summary: "Makes an account and signs it in",
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
		summary: "Signs in: the same refusal, after about the same time, for a wrong password and an unknown address",
		// Not held to the rules of today: an address or a password that could not be made any more is simply not right.
		params: z.strictObject({ email: z.string().max(1024), password: z.string().max(1024) }),
		result: SignedIn,
		errors: ["UNAUTHORIZED"],
		example: { params: { email: "ann@example.org", password: "correct horse battery" }, result: example },
		who: "anyone",
		rest: "POST /api/auth/login",
		restCookie: "refreshToken"
	}),
	/** One that comes a second time was stolen from somebody: its whole family is revoked. */
	"users.refresh": action({
		summary: "Trades a refresh token, from the cookie or the body, for a new token and the next refresh token",
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
			"Ends the session of the refresh token, or of the caller's token where none is given: its tokens are worth nothing any more, and its sockets are closed",
		params: MaybeRefresh,
		result: z.strictObject({ ended: z.boolean() }),
		errors: ["UNAUTHORIZED"],
		example: { params: {}, result: { ended: true } },
		who: "anyone",
		rest: "POST /api/auth/logout",
		restCookie: "refreshToken"
	}),
	"users.me": action({
		summary: "Answers whose token it is",
		params: z.strictObject({}),
		result: z.strictObject({ user: User }),
		example: { params: {}, result: { user: example.user } },
		who: "account",
		rest: "GET /api/auth/me"
	}),
	/** Whom a token stands for. For the doors alone. Errors: `UNAUTHORIZED`, whatever is wrong with it. */
	"users.authenticate": action({ params: z.strictObject({ token: z.string() }), result: IdentitySchema }),
	/** Of these sessions those that have been revoked, at most a second ago. For the sockets, which outlive a request. */
	"users.revoked": action({ params: z.strictObject({ sessions: z.array(z.string()) }), result: z.array(z.string()) }),
	/** Whose address it is. For the operator alone. Errors: `NOT_FOUND`. */
	"users.find": action({ params: z.strictObject({ email: Email }), result: z.strictObject({ user: User }) }),
	/** Makes an account of any role. For the operator alone. Errors: `VALIDATION_ERROR`, `CONFLICT`. */
	"users.create": action({
		params: z.strictObject({ email: Email, password: Password, name: Name.optional(), role: Role }),
		result: z.strictObject({ user: User })
	})
};

export const topics = {};

export type User = z.output<typeof User>;
export type SignedIn = z.output<typeof SignedIn>;
export type Role = z.output<typeof Role>;
