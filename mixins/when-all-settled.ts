/**
 * Like `Promise.all`, but rejects only when none of the promises is pending any more: a retry then cannot be overtaken by what the failed attempt has
 * still in flight.
 */
export async function whenAllSettled<T>(promises: Iterable<Promise<T>>): Promise<T[]> {
	const all = [...promises];
	await Promise.allSettled(all);
	return Promise.all(all);
}
