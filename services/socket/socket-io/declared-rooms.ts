// The subscriptions to rooms that the topics' contracts declare.
import type { ActionContract } from "../../../contract/action.ts";
import type { RoomSubscription, TopicContract } from "../../../contract/topic.ts";

/** `contract`: that of the action that answers the snapshot. */
export interface DeclaredRooms {
	subscription: RoomSubscription<unknown>;
	contract: ActionContract;
}

/** By the name in `subscribe:<name>`. Several topics may share a subscription; throws if two different ones have the same name. */
export function declaredRooms(topics: Record<string, TopicContract>, actions: object): ReadonlyMap<string, DeclaredRooms> {
	const found = new Map<string, DeclaredRooms>();
	for (const { to } of Object.values(topics).flatMap(({ deliveries = [] }) => deliveries)) {
		if (typeof to !== "object" || !("subscribersOf" in to)) continue;
		const subscription = to.subscribersOf as RoomSubscription<unknown>;
		const { name, snapshot } = subscription;
		if ((found.get(name)?.subscription ?? subscription) !== subscription)
			throw new Error(`two topics declare different subscriptions "${name}": share one roomSubscription()`);
		found.set(name, { subscription, contract: (actions as Record<string, ActionContract>)[snapshot]! });
	}
	return found;
}
