import { setTimeout as delay } from "node:timers/promises";
import type { Broker, Cluster } from "kafkajs";
import { deadlineIn } from "../../deadline.ts";
import { rootCause } from "./connection.ts";

const RETRY_DELAY_MS = 100;

/** `leaveGroup` is not among kafkajs's types. */
type Coordinator = Broker & { leaveGroup(member: { groupId: string; memberId: string }): Promise<unknown> };

/** Removes a member that an earlier consumer left in the group: else a rebalance would wait for it until its session times out. */
export async function removeMember(cluster: Cluster, groupId: string, memberId: string, timeoutMs: number): Promise<void> {
	const deadline = deadlineIn(timeoutMs);
	while (!deadline.isOver()) {
		try {
			const coordinator = (await cluster.findGroupCoordinator({ groupId })) as Coordinator;
			await coordinator.leaveGroup({ groupId, memberId });
			return;
		} catch (error) {
			if (rootCause(error).type === "UNKNOWN_MEMBER_ID") return;
			await delay(RETRY_DELAY_MS);
		}
	}
}
