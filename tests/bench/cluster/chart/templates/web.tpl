{{- $web := dict "root" . "component" "web" "port" .Values.langfuse.web.service.port "live" "/api/public/health" "ready" "/api/public/ready" }}
{{ include "stand-in.deployment" $web }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ include "stand-in.name" $web }}
  namespace: {{ .Release.Namespace }}
  labels: {{- include "stand-in.labels" $web | nindent 4 }}
spec:
  type: {{ .Values.langfuse.web.service.type }}
  selector: {{- include "stand-in.selector" $web | nindent 4 }}
  ports:
    - name: http
      port: {{ .Values.langfuse.web.service.port }}
      targetPort: http
      protocol: TCP
