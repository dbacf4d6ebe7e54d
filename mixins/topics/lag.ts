/** The sum of the lag of these partitions, per topic. */
export function lagByTopic(partitions: Iterable<{ topic: string; lag: number }>): Record<string, number> {
	const sums: Record<string, number> = {};
	for (const { topic, lag } of partitions) sums[topic] = (sums[topic] ?? 0) + lag;
	return sums;
}
