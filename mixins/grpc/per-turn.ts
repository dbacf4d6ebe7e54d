/** Starts work: at once, or in a later turn of the event loop. Each address has its own queue. */
export type StartInTurn = (address: string, start: () => void) => void;

interface Turn {
	started: number;
	waiting: (() => void)[];
}

/**
 * Starts at most `max` pieces of work for each address in one turn of the event loop, so that a flood of one address delays itself: between its turns
 * the process serves others.
 */
export function perTurn(max: number): StartInTurn {
	const turns = new Map<string, Turn>();
	const nextTurn = () => {
		for (const [address, turn] of turns) {
			const starting = turn.waiting.splice(0, max);
			turn.started = starting.length;
			if (starting.length === 0) turns.delete(address);
			for (const start of starting) start();
		}
		if (turns.size > 0) setImmediate(nextTurn);
	};
	return (address, start) => {
		if (turns.size === 0) setImmediate(nextTurn);
		const turn = turns.get(address) ?? { started: 0, waiting: [] };
		turns.set(address, turn);
		if (turn.started === max) turn.waiting.push(start);
		else {
			turn.started++;
			start();
		}
	};
}
