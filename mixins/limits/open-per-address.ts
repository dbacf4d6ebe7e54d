/** How many of one kind, such as connections, each address has open. */
export interface OpenPerAddress {
	/** Counts one more and returns true; or counts nothing and returns false when the limit of the address is reached. */
	open(address: string): boolean;
	/** Counts one fewer. Call it once for each `open` that returned true. */
	close(address: string): void;
}

/** `max` 0: no limit. */
export function openPerAddress(max: number): OpenPerAddress {
	const counts = new Map<string, number>();
	return {
		open(address) {
			const count = counts.get(address) ?? 0;
			if (max > 0 && count >= max) return false;
			counts.set(address, count + 1);
			return true;
		},
		close(address) {
			const count = (counts.get(address) ?? 0) - 1;
			if (count > 0) counts.set(address, count);
			else counts.delete(address);
		}
	};
}
