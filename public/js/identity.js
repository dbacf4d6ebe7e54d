// Whoever a visit is of: an account with its tokens, or a guest, who has none.
import { Unavailable } from "./retry.js";

/**
 * @typedef {object} Who
 * @property {string} id
 * @property {string} name
 * @property {"user" | "admin" | undefined} role as the server said last; it is the server that decides. A guest has none
 * @property {() => Promise<string | undefined>} token a guest has none; rejects with `Unavailable`
 * @property {(refused: string) => Promise<void>} renew gets another token than this one; rejects with `Unavailable`
 */

/** @returns {Who} */
export const guest = name => ({ id: name, name, role: undefined, token: async () => undefined, renew: async () => {} });

/** @returns {Who} */
export const member = ({ id, name, role }, account) => ({
	id,
	name,
	// What was kept by an older page does not say.
	role: role ?? "user",
	token: () => account.tokenOf(id),
	renew: account.renew
});

/**
 * Does it with the token. One that was refused is renewed, and then whoever asked may try again: that is an `Unavailable`.
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
