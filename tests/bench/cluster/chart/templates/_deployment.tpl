{{/* Stand-in: what web and worker have in common. */}}

{{- define "stand-in.name" -}}
{{- $own := ternary .root.Release.Name (printf "%s-%s" .root.Release.Name .root.Chart.Name) (contains .root.Chart.Name .root.Release.Name) }}
{{- .root.Values.fullnameOverride | default $own }}-{{ .component }}
{{- end }}

{{- define "stand-in.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app: {{ .component }}
{{- end }}

{{- define "stand-in.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- end }}

{{- define "stand-in.seconds" -}}
initialDelaySeconds: 20
periodSeconds: 10
timeoutSeconds: 5
failureThreshold: 3
{{- end }}

{{- define "stand-in.deployment" -}}
{{- $common := .root.Values.langfuse }}
{{- $own := get $common .component }}
{{- range $store := list "postgresql" "redis" "clickhouse" "s3" }}
{{- if (get $.root.Values $store).deploy }}
{{- fail (printf "the stand-in has no stores: set %s.deploy to false" $store) }}
{{- end }}
{{- end }}
{{- if or $common.serviceAccount.create $own.pdb.create $own.hpa.enabled $own.keda.enabled $own.vpa.enabled $common.ingress.enabled }}
{{- fail "the stand-in makes Deployments and one Service only: set serviceAccount.create and pdb.create to false" }}
{{- end }}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "stand-in.name" . }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{- include "stand-in.labels" . | nindent 4 }}
spec:
  replicas: {{ $own.replicas | default $common.replicas }}
  revisionHistoryLimit: {{ $own.revisionHistoryLimit | default $common.revisionHistoryLimit }}
  {{- with $own.deployment.strategy | default $common.deployment.strategy }}
  strategy: {{- toYaml . | nindent 4 }}
  {{- end }}
  selector:
    matchLabels: {{- include "stand-in.selector" . | nindent 6 }}
  template:
    metadata:
      labels: {{- include "stand-in.selector" . | nindent 8 }}
      {{- with merge ($own.pod.annotations | default dict) ($common.pod.annotations | default dict) }}
      annotations: {{- toYaml . | nindent 8 }}
      {{- end }}
    spec:
      serviceAccountName: {{ required "langfuse.serviceAccount.name is required" $common.serviceAccount.name }}
      automountServiceAccountToken: {{ $common.serviceAccount.automountServiceAccountToken }}
      {{- range $field, $content := dict
        "imagePullSecrets" ($own.image.pullSecrets | default $common.image.pullSecrets)
        "hostAliases" $own.hostAliases
        "securityContext" $common.podSecurityContext
        "volumes" $common.extraVolumes
        "nodeSelector" ($own.pod.nodeSelector | default $common.nodeSelector)
        "tolerations" ($own.pod.tolerations | default $common.tolerations)
        "affinity" ($own.pod.affinity | default $common.affinity)
        "topologySpreadConstraints" ($own.pod.topologySpreadConstraints | default $common.pod.topologySpreadConstraints)
        "dnsConfig" $common.dnsConfig
      }}
      {{- with $content }}
      {{ $field }}: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- end }}
      containers:
        - name: {{ printf "%s-%s" .root.Chart.Name .component }}
          image: {{ printf "%s:%s" $own.image.repository ($own.image.tag | default $common.image.tag | default .root.Chart.AppVersion) | quote }}
          imagePullPolicy: {{ $own.image.pullPolicy | default $common.image.pullPolicy }}
          env: {{ include "stand-in.environment" . }}
          ports:
            - name: http
              containerPort: {{ .port }}
              protocol: TCP
          livenessProbe:
            httpGet:
              path: {{ .live }}
              port: http
            {{- include "stand-in.seconds" . | nindent 12 }}
          {{- with .ready }}
          readinessProbe:
            httpGet:
              path: {{ . }}
              port: http
            {{- include "stand-in.seconds" $ | nindent 12 }}
          {{- end }}
          {{- range $field, $content := dict
            "securityContext" $common.securityContext
            "resources" ($own.resources | default $common.resources)
            "volumeMounts" $common.extraVolumeMounts
          }}
          {{- with $content }}
          {{ $field }}: {{- toYaml . | nindent 12 }}
          {{- end }}
          {{- end }}
{{- end }}
