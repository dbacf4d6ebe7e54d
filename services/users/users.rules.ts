// What makes an address the same address and a password good enough. No I/O.
import { domainToASCII } from "node:url";
import type { Fault } from "../../mixins/errors.ts";
import { COMMON_PASSWORDS } from "./users.common-passwords.ts";

/**
 * The one form of an address: composed Unicode in lower case, its domain in ASCII (IDNA). Two that differ in case alone are one person's, whatever
 * RFC 5321 leaves to mail servers. The text must look like an address already.
 */
export function normaliseEmail(text: string): string {
	const plain = text.trim().normalize("NFC").toLowerCase();
	const at = plain.lastIndexOf("@");
	const domain = plain.slice(at + 1);
	return `${plain.slice(0, at)}@${domainToASCII(domain) || domain}`;
}

/** The one form of a password: what a person types must not depend on how a keyboard composes it (NIST SP 800-63B, 3.1.1.2). */
export const normalisePassword = (text: string) => text.normalize("NFKC");

/** What is wrong with a password that is long enough; undefined: nothing. */
export function faultOfPassword(password: string, { email, name }: { email: string; name: string }): Fault | undefined {
	const plain = normalisePassword(password).toLowerCase();
	const refuse = (message: string) => ({ field: "password", message });
	if (COMMON_PASSWORDS.has(plain)) return refuse("is one of the commonest passwords: choose another");
	if (new Set(plain).size < 4) return refuse("repeats too few characters: choose another");
	if (plain === email || plain === email.slice(0, email.indexOf("@")) || plain === name.toLowerCase())
		return refuse("must not be your address or your name");
	return undefined;
}
