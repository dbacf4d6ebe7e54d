import { config } from "../../runtime/config.ts";
import { requestLimits } from "../../runtime/drivers.ts";
import { api } from "./api.ts";

export default api({ ...config, limits: requestLimits() });
