// The user of a session: an account with its tokens, or a guest without any.
import { Unavailable } from "./retry.js";

/**
 * @typedef {object} Who
 * @property {string} id
 * @property {string} name
 * @property {"user" | "admin" | undefined} role as last reported by the server, which alone decides; undefined for a guest
 * @property {() => Promise<string | undefined>} token undefined for a guest; rejects with `Unavailable`
 * @property {(refused: string) => Promise<void>} renew replaces this token by a new one; rejects with `Unavailable`
 */

/** @returns {Who} */
export const guest = name => ({ id: name, name, role: undefined, token: async () => undefined, renew: async () => {} });

/** @returns {Who} */
export const member = ({ id, name, role }, account) => ({
	id,
	name,
	// Storage written by an older version of the page has no role.
	role: role ?? "user",
	token: () => account.tokenOf(id),
	renew: account.renew
});

/**
 * Runs a task with the user's token. If the token is refused it is renewed, and the task is rejected with `Unavailable`, so that the caller retries.
 * @template Answer
 * @param {Who} who
 * @param {(token: string | undefined) => Promise<Answer>} task
 * @returns {Promise<Answer>}
 */
export async function withToken(who, task) {
	const token = await who.token();
	try {
		return await task(token);
	} catch (error) {
		if (token === undefined || error.type !== "UNAUTHORIZED") throw error;
		await who.renew(token);
		throw new Unavailable(error.message);
	}
}
