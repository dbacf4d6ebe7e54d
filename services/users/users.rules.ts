// What makes an address the same address and a password good enough. No I/O.
import { domainToASCII } from "node:url";
import type { FieldError } from "../../mixins/errors.ts";
import { COMMON_PASSWORDS } from "./users.common-passwords.ts";
import { Email } from "./users.contract.ts";

/** Labels of at most 63 letters, digits and - (RFC 1035, 2.3.1), of which the last is no number. */
const DOMAIN = /^(?:[a-z0-9-]{1,63}\.)+[a-z][a-z0-9-]{1,62}$/;

/**
 * The one form of an address: lower case in composed Unicode, its domain in ASCII (IDNA). Two that differ in case alone are one person's, whatever
 * RFC 5321 leaves to mail servers. Undefined if it is no address.
 */
export function normaliseEmail(text: string): string | undefined {
	const address = Email.safeParse(text);
	if (!address.success) return undefined;
	const plain = address.data.toLowerCase().normalize("NFC");
	const at = plain.lastIndexOf("@");
	const domain = domainToASCII(plain.slice(at + 1));
	return DOMAIN.test(domain) ? `${plain.slice(0, at)}@${domain}` : undefined;
}

/** The one form of a password: what a person types must not depend on how a keyboard composes it (NIST SP 800-63B, 3.1.1.2). */
export const normalisePassword = (text: string) => text.normalize("NFKC");

/** What is wrong with a password that is long enough; undefined: nothing. */
export function passwordError(password: string, { email, name }: { email: string; name: string }): FieldError | undefined {
	const form = (text: string) => normalisePassword(text).toLowerCase();
	const plain = form(password);
	const refuse = (message: string) => ({ field: "password", message });
	if (COMMON_PASSWORDS.has(plain)) return refuse("is one of the commonest passwords: choose another");
	if (new Set(plain).size < 4) return refuse("repeats too few characters: choose another");
	if ([email, email.slice(0, email.lastIndexOf("@")), name].some(known => form(known) === plain))
		return refuse("must not be your address or your name");
	return undefined;
}
