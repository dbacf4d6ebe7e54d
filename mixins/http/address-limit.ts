/** How many of something each client address holds. */
export interface AddressLimit {
	/** Counts one in, and answers how to count it out again, once; undefined if the address has its fill. */
	take(address: string): (() => void) | undefined;
}

/** So many an address; 0: no limit. */
export function addressLimit(max: number): AddressLimit {
	const held = new Map<string, number>();
	return {
		take(address) {
			const now = held.get(address) ?? 0;
			if (max > 0 && now >= max) return undefined;
			held.set(address, now + 1);
			let isOut = false;
			return () => {
				if (isOut) return;
				isOut = true;
				const left = (held.get(address) ?? 1) - 1;
				if (left === 0) held.delete(address);
				else held.set(address, left);
			};
		}
	};
}
