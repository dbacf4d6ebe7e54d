// Puts the contracts of all services together, so that the system has one table of actions and one of topics.

type Part = "actions" | "topics";
type Contracts = Record<string, Record<Part, object>>;

type UnionToIntersection<U> = (U extends unknown ? (one: U) => void : never) extends (all: infer I) => void
	? { [K in keyof I]: I[K] }
	: never;
/** Every action, or every topic, of these contracts by its name. */
export type Gathered<C extends Contracts, P extends Part> = UnionToIntersection<C[keyof C][P]>;

/** Throws where two services declare one name: the second would silently replace the first. */
export function gather<C extends Contracts, P extends Part>(contracts: C, part: P): Gathered<C, P> {
	const owners = new Map<string, string>();
	const gathered: Record<string, unknown> = {};
	for (const [service, contract] of Object.entries(contracts))
		for (const [name, declaration] of Object.entries(contract[part])) {
			const owner = owners.get(name);
			if (owner)
				throw new Error(
					`${part === "actions" ? "action" : "topic"} "${name}" is declared twice: in ${fileOf(owner)} and in ${fileOf(service)}; rename one of them`
				);
			owners.set(name, service);
			gathered[name] = declaration;
		}
	return gathered as Gathered<C, P>;
}

const fileOf = (service: string) => `services/${service}/${service}.contract.ts`;
