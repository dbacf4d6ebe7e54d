// Forged tokens: each is invalid for one reason and valid otherwise.
import { createHmac, generateKeyPairSync, sign as signWith } from "node:crypto";

type Claims = Record<string, unknown>;
type Header = Record<string, unknown>;
type Signer = (input: string) => Buffer | string;

export interface Genuine {
	/** A valid access token of `account`. */
	token: string;
	refreshToken: string;
	secret: string;
	account: string;
}

const encode = (value: unknown) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
const hmac =
	(secret: string | Buffer, hash = "sha256"): Signer =>
	(input: string) =>
		createHmac(hash, secret).update(input).digest();
const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
const publicPem = rsa.publicKey.export({ type: "spki", format: "pem" });

/** Sets the unused bits of the last base64url character. */
function setUnusedBits(token: string): string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	return token.slice(0, -1) + alphabet[alphabet.indexOf(token.at(-1) as string) ^ 1];
}

/** Reason → token. */
export function forgedTokens({ token, refreshToken, secret, account }: Genuine): Record<string, string> {
	const [head = "", body = "", signature = ""] = token.split(".");
	const header = JSON.parse(Buffer.from(head, "base64url").toString()) as Header;
	const claims = JSON.parse(Buffer.from(body, "base64url").toString()) as Claims;
	const nowS = Math.floor(Date.now() / 1000);
	const { publicKey } = ec;
	const ours = hmac(secret);

	const make = (changedHeader: Header, changedClaims: Claims, sign = ours) => {
		const input = `${encode({ ...header, ...changedHeader })}.${encode({ ...claims, ...changedClaims })}`;
		return `${input}.${Buffer.from(sign(input)).toString("base64url")}`;
	};
	const without = (claim: string) => make({}, { [claim]: undefined });
	const raw = (first: string, second: string) => `${first}.${second}.${ours(`${first}.${second}`).toString("base64url")}`;

	return {
		// The algorithm: RFC 8725, 2.1 and 3.1.
		"alg none, unsigned": make({ alg: "none" }, {}, () => ""),
		"alg None, unsigned": make({ alg: "None" }, {}, () => ""),
		"alg none, signed all the same": make({ alg: "none" }, {}),
		"no alg": make({ alg: undefined }, {}),
		"alg in lower case": make({ alg: "hs256" }, {}),
		"HS384 by the same secret": make({ alg: "HS384" }, {}, hmac(secret, "sha384")),
		"HS512 by the same secret": make({ alg: "HS512" }, {}, hmac(secret, "sha512")),
		"HS512 that says HS256": make({}, {}, hmac(secret, "sha512")),
		"RS256 by a key of their own": make({ alg: "RS256" }, {}, input => signWith("sha256", Buffer.from(input), rsa.privateKey)),
		"HS256 by a public key, for a verifier that takes it for the secret": make({}, {}, hmac(publicPem as string)),
		"ES256 by a key of their own": make({ alg: "ES256" }, {}, input =>
			signWith("sha256", Buffer.from(input), { key: ec.privateKey, dsaEncoding: "ieee-p1363" })
		),
		"ES256 whose signature is all zeros": make({ alg: "ES256" }, {}, () => Buffer.alloc(64)),

		// The key.
		"another secret": make({}, {}, hmac("another secret that is long enough")),
		"no secret": make({}, {}, hmac("")),
		"the secret as base64url, decoded": make({}, {}, hmac(Buffer.from(secret, "base64url"))),
		"the secret in hexadecimal": make({}, {}, hmac(Buffer.from(secret).toString("hex"))),
		"a jwk of their own in the header": make({ alg: "ES256", jwk: publicKey.export({ format: "jwk" }) }, {}, input =>
			signWith("sha256", Buffer.from(input), { key: ec.privateKey, dsaEncoding: "ieee-p1363" })
		),
		"a symmetric jwk in the header": make({ jwk: { kty: "oct", k: encode("their own secret") } }, {}, hmac("their own secret")),
		"a jku to their keys": make({ jku: "http://127.0.0.1:9/keys.json" }, {}, hmac("their own secret")),
		"an x5c of their own": make({ alg: "RS256", x5c: [encode("certificate")] }, {}, input =>
			signWith("sha256", Buffer.from(input), rsa.privateKey)
		),
		"a kid that is the path of an empty file": make({ kid: "../../../../dev/null" }, {}, hmac("")),
		"a kid that is SQL for a key": make({ kid: "x' union select 'key" }, {}, hmac("key")),

		// The header.
		"typ of another kind of token": make({ typ: "JWT" }, {}),
		"typ of a refresh token": make({ typ: "rt+jwt" }, {}),
		"no typ": make({ typ: undefined }, {}),
		"an extension that must be understood": make({ crit: ["exp"] }, {}),
		"an unknown extension that must be understood": make({ crit: ["x"], x: 1 }, {}),
		"an empty list of extensions": make({ crit: [] }, {}),
		"a body that is not encoded": (() => {
			const first = encode({ ...header, b64: false, crit: ["b64"] });
			const input = `${first}.${JSON.stringify(claims)}`;
			return `${input}.${ours(input).toString("base64url")}`;
		})(),
		compressed: make({ zip: "DEF", crit: ["zip"] }, {}),

		// The claims, signed with the right key, as another system with the same secret could do.
		"another issuer": make({}, { iss: "plaza2" }),
		"no issuer": without("iss"),
		"another audience": make({}, { aud: "shop" }),
		"the audience of refresh tokens": make({}, { aud: "plaza/refresh" }),
		"no audience": without("aud"),
		"an audience that contains ours as text": make({}, { aud: "plaza, shop" }),
		"no end": without("exp"),
		"an end as text": make({}, { exp: String(nowS + 600) }),
		"an end that is no number": make({}, { exp: null }),
		"ended a second ago": make({}, { iat: nowS - 901, exp: nowS - 1 }),
		"ends now": make({}, { exp: nowS }),
		"not yet valid": make({}, { nbf: nowS + 60 }),
		"no time of issue": without("iat"),
		"no session": without("sid"),
		"an empty session": make({}, { sid: "" }),
		"a session that is an object": make({}, { sid: { id: claims.sid } }),
		"no subject": without("sub"),
		"a guest's": make({}, { sub: "guest" }),
		"of an id in capitals": make({}, { sub: account.toUpperCase() }),
		"no role": without("role"),
		"a role that is none": make({}, { role: "root" }),
		"two roles": make({}, { role: ["user", "admin"] }),

		// Changed after signing.
		"made an admin's": `${head}.${encode({ ...claims, role: "admin" })}.${signature}`,
		"made another's": `${head}.${encode({ ...claims, sub: `acct_${"0".repeat(32)}` })}.${signature}`,
		"made to last": `${head}.${encode({ ...claims, exp: nowS + 1e6 })}.${signature}`,
		"the signature of another token": `${head}.${body}.${refreshToken.split(".")[2]}`,
		"no signature": `${head}.${body}.`,
		"two parts": `${head}.${body}`,
		"one part": head,
		"four parts": `${token}.${signature}`,
		"five parts, as if encrypted": `${head}.${body}.${signature}.${body}.${signature}`,
		"cut at the end": token.slice(0, -1),
		"cut at the start": token.slice(1),
		"half a signature": `${head}.${body}.${signature.slice(0, 21)}`,
		"signed with a longer signature": `${token}AAAA`,

		// Texts that lenient decoders decode to the same bytes.
		padded: `${token}=`,
		"padded inside": `${head}==.${body}.${signature}`,
		"unused bits set at the end": setUnusedBits(token),
		"a space after it": `${token} `,
		"a line in it": `${head}.${body}.${signature.slice(0, 9)}\n${signature.slice(9)}`,
		"U+0000 after it": `${token}\u0000`,
		"a letter that looks the same": token.replace("e", "е"),
		"full-width dots": token.replaceAll(".", "．"),
		"half a surrogate pair": `${token}\ud800`,
		"Bearer in the token": `Bearer ${token}`,
		"quotes around it": `"${token}"`,
		"JSON instead of a header": raw("{}", body),
		"a header that is no object": raw(encode("[]"), body),
		"claims that are no object": raw(head, encode("1")),
		"claims that are no JSON": raw(head, encode("{")),

		// The other kind.
		"a refresh token": refreshToken,
		nothing: "",
		"undefined, as text": "undefined",
		"a dot": ".",
		"two dots": "..",
		"64 KiB of letters": "a".repeat(65_536),
		"64 KiB of dots": ".".repeat(65_536)
	};
}
