// When two e-mail addresses are the same, and which passwords are acceptable. No I/O.
import { domainToASCII } from "node:url";
import type { FieldError } from "../../mixins/errors.ts";
import { COMMON_PASSWORDS } from "./users.common-passwords.ts";
import { Email } from "./users.contract.ts";

/** Labels of at most 63 letters, digits and - (RFC 1035, 2.3.1); the last one starts with a letter. */
const DOMAIN = /^(?:[a-z0-9-]{1,63}\.)+[a-z][a-z0-9-]{1,62}$/;

/**
 * The normalised form of an address: lower case, composed Unicode, and the domain in ASCII (IDNA). RFC 5321 allows mail servers to distinguish
 * case; here, addresses that differ only in case are the same. Undefined for an invalid address.
 */
export function normaliseEmail(text: string): string | undefined {
	const address = Email.safeParse(text);
	if (!address.success) return undefined;
	const plain = address.data.toLowerCase().normalize("NFC");
	const at = plain.lastIndexOf("@");
	const domain = domainToASCII(plain.slice(at + 1));
	return DOMAIN.test(domain) ? `${plain.slice(0, at)}@${domain}` : undefined;
}

/** The normalised form of a password: keyboards compose the same character in different ways (NIST SP 800-63B, 3.1.1.2). */
export const normalisePassword = (text: string) => text.normalize("NFKC");

/** Why a password of valid length is rejected; undefined if it is acceptable. */
export function passwordError(password: string, { email, name }: { email: string; name: string }): FieldError | undefined {
	const form = (text: string) => normalisePassword(text).toLowerCase();
	const plain = form(password);
	const error = (message: string) => ({ field: "password", message });
	if (COMMON_PASSWORDS.has(plain)) return error("is one of the commonest passwords: choose another");
	if (new Set(plain).size < 4) return error("repeats too few characters: choose another");
	if ([email, email.slice(0, email.lastIndexOf("@")), name].some(known => form(known) === plain))
		return error("must not be your address or your name");
	return undefined;
}
