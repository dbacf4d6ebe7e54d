export { KafkaTransporter, type KafkaTransporterOptions } from "../transporter.ts";
