// Reads an OTLP/HTTP JSON body from a file by the published protobuf definitions, which know no unknown field
// and no value of another type, and prints what an OpenTelemetry collector would see.
package main

import (
	"fmt"
	"os"
	"strings"

	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	"google.golang.org/protobuf/encoding/protojson"
)

func main() {
	body, err := os.ReadFile(os.Args[1])
	if err != nil {
		fail(err)
	}
	// An ExportLogsServiceRequest has the one member that LogsData has.
	var data logs.LogsData
	if err := protojson.Unmarshal(body, &data); err != nil {
		fail(err)
	}
	var lines []string
	for _, resource := range data.ResourceLogs {
		for _, scope := range resource.ScopeLogs {
			for _, record := range scope.LogRecords {
				lines = append(lines, fmt.Sprintf("%d %s %s", record.TimeUnixNano, record.SeverityNumber, record.Body.GetStringValue()))
			}
		}
	}
	fmt.Printf("good: %s\n", strings.Join(lines, "\n"))
}

func fail(err error) {
	fmt.Fprintf(os.Stderr, "bad: %v\n", err)
	os.Exit(1)
}
