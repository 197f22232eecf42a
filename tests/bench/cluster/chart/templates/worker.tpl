{{ include "stand-in.deployment" (dict "root" . "component" "worker" "port" 3030 "live" "/api/health" "ready" "") }}
